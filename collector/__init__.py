# SPDX-License-Identifier: Apache-2.0
"""The program at the centre: turns what the schools saw into evidence, time series and a page."""
