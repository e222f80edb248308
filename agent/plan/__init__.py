# SPDX-License-Identifier: Apache-2.0
"""When may a test that loads the line run, and how much may it move? The month's plan, windows, manners."""
