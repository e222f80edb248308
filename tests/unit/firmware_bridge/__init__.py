# SPDX-License-Identifier: Apache-2.0
"""Does each part of the firmware bridge do what it says?"""
