# SPDX-License-Identifier: Apache-2.0
"""Which outages are played on the bed, what does the watch tell of them, and does that keep its promise?"""
