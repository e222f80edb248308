# SPDX-License-Identifier: Apache-2.0
"""What both ends of the capacity test share: its messages, its pace, its sockets."""
