# SPDX-License-Identifier: Apache-2.0
"""Do the drivers understand recordings of devices, whole, in pieces and damaged?"""
