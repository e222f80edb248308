# SPDX-License-Identifier: Apache-2.0
"""The program on the Raspberry Pi: measures the school's link and reports what it saw."""
