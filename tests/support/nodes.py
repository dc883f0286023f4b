"""A real Ray cluster whose machines are processes of this machine: `python -m tests.support.nodes`.

The program prints the cluster's address, then reads commands: to `add` and `kill N` it answers the number of machines.
It is a process of its own because Ray leaves handlers, threads and warnings behind.
"""

import os
import sys

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # as nice as all other processes
    "RAY_health_check_period_ms": "500",  # a lost machine is noticed sooner than in real life
    "RAY_health_check_failure_threshold": "10",
    "RAY_raylet_start_wait_time_s": "200",  # the machine may be busy
}


def main() -> None:
    from ray.cluster_utils import Cluster  # reads the environment above

    out = os.dup(1)
    os.dup2(2, 1)  # Ray's own output goes to standard error

    def answer(what: object) -> None:
        os.write(out, f"{what}\n".encode())

    machine = {"object_store_memory": 80_000_000, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **machine}, connect=False)
    nodes = [cluster.add_node(num_cpus=1, **machine) for _ in range(2)]
    answer(cluster.address)
    for line in sys.stdin:
        command, *which = line.split()
        if command == "add":
            nodes.append(cluster.add_node(num_cpus=1, **machine))
        elif command == "kill":
            cluster.remove_node(nodes.pop(int(which[0])), allow_graceful=False)
        answer(len(nodes))
    for node in nodes:
        cluster.remove_node(node, allow_graceful=False)
    cluster.remove_node(cluster.head_node, allow_graceful=False)


if __name__ == "__main__":
    main()
