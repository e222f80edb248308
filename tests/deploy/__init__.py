# SPDX-License-Identifier: Apache-2.0
"""Does what is installed at a school and at the centre do what it says there?"""
