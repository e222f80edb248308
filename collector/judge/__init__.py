# SPDX-License-Identifier: Apache-2.0
"""How are the verdicts kept: a view of the journal that is judged anew wherever a record touches it?"""
