# SPDX-License-Identifier: Apache-2.0
"""Does each module of the collector do what it says, alone?"""
