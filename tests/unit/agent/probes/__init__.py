# SPDX-License-Identifier: Apache-2.0
"""Does each probe find what is there, and say why when it finds nothing?"""
