# SPDX-License-Identifier: Apache-2.0
"""What do the tests need from the machine, and what do they keep it from doing?"""
