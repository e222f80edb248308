# SPDX-License-Identifier: Apache-2.0
"""What does an operator, a wall screen or another program see of the fleet right now?"""
