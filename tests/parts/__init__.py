# SPDX-License-Identifier: Apache-2.0
"""Which real programs do the tests talk to, and how is each started, killed and restarted?"""
