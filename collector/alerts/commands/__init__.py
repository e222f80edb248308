# SPDX-License-Identifier: Apache-2.0
"""What can people ask and tell by `school-collector alerts` and `school-collector hooks`?"""
