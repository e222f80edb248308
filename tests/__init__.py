# SPDX-License-Identifier: Apache-2.0
"""Does it all do what it says?"""
