# SPDX-License-Identifier: Apache-2.0
"""The wire, and how both its ends read settings and log; in the standard library alone."""
