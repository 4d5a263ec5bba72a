"""What processes are told when they start."""

from __future__ import annotations

from tidegate.node.plan import Address, NodePlan, Orders, decode_orders, decode_plan, encode

PLAN = NodePlan(
    node_id="gw1",
    config_file="/etc/tidegate.yaml",
    data_dir="/var/lib/tidegate",
    workers=2,
    shutdown_grace_s=30.0,
    access_log="-",
    listeners=[Address("public", "0.0.0.0", 8080, "listeners[0].bind")],
    admin=Address("admin", "127.0.0.1", 9900, "admin.bind"),
    descriptors=1000,
    descriptors_must_fit=True,
)


def test_a_plan_survives_the_command_line() -> None:
    assert decode_plan(encode(PLAN)) == PLAN


def test_orders_survive_the_command_line() -> None:
    orders = Orders("worker", PLAN, 1, 7, 5, {"public": [8, 9]}, channel_name="7.control.sock")
    assert decode_orders(encode(orders)) == orders
    assert "\n" not in encode(orders)
