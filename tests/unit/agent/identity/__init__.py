# SPDX-License-Identifier: Apache-2.0
"""Does a device prove who it is, and survive a power cut while it learns to?"""
