# SPDX-License-Identifier: Apache-2.0
"""How is a month closed, and how does anybody check what was closed without trusting us?"""
