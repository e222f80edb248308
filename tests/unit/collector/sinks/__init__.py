# SPDX-License-Identifier: Apache-2.0
"""Does each part of the sinks do what it says, alone?"""
