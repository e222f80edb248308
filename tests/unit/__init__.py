# SPDX-License-Identifier: Apache-2.0
"""Does each module do what it says, alone?"""
