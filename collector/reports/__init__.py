# SPDX-License-Identifier: Apache-2.0
"""How do the figures of a month become pages and tables that people can read, in their language?"""
