# SPDX-License-Identifier: Apache-2.0
"""A school's way to the internet whose truth is known: namespaces, an emulated link, outages by script."""
