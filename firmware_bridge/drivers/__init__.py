# SPDX-License-Identifier: Apache-2.0
"""What do the values of one family of devices mean? One file each: a table and pure parsers."""
