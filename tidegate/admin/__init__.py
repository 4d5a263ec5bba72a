"""The admin face of a node: health, metrics, status, explain. It runs in the control process."""
