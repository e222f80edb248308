# SPDX-License-Identifier: Apache-2.0
"""How do measured points become pictures: pure functions from numbers to inline SVG?"""
