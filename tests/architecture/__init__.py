# SPDX-License-Identifier: Apache-2.0
"""Is the house built as its plan says?"""
