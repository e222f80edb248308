# SPDX-License-Identifier: Apache-2.0
"""Since when and until when did the link carry nothing, and whose part of the way was dead?"""
