# SPDX-License-Identifier: Apache-2.0
"""Sends what the spool holds and forgets what the collector acknowledges."""
