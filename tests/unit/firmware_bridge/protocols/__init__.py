# SPDX-License-Identifier: Apache-2.0
"""Is framing right, however the bytes come?"""
