# SPDX-License-Identifier: Apache-2.0
"""Is the network asked rightly, and are its answers read rightly?"""
