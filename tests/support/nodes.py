"""A real Ray cluster of machines that are processes here, ruled line by line on standard input:
`python -m tests.support.nodes`. Says its address; `add` and `kill N` are answered by the number of machines.

Not in the tests' own process: Ray leaves handlers, threads and warnings behind.
"""

import os
import sys

os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # not after whatever else this machine does
    "RAY_health_check_period_ms": "500",  # a machine that is gone is missed sooner than in real life
    "RAY_health_check_failure_threshold": "10",
    "RAY_raylet_start_wait_time_s": "200",  # the machine may be busy
}


def main() -> None:
    from ray.cluster_utils import Cluster

    out = os.dup(1)
    os.dup2(2, 1)  # what Ray prints is no answer

    def say(what: object) -> None:
        os.write(out, f"{what}\n".encode())

    machine = {"object_store_memory": 80_000_000, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **machine}, connect=False)
    nodes = [cluster.add_node(num_cpus=1, **machine) for _ in range(2)]
    say(cluster.address)
    for line in sys.stdin:
        command, *which = line.split()
        if command == "add":
            nodes.append(cluster.add_node(num_cpus=1, **machine))
        elif command == "kill":
            cluster.remove_node(nodes.pop(int(which[0])), allow_graceful=False)
        say(len(nodes))
    for node in nodes:
        cluster.remove_node(node, allow_graceful=False)
    cluster.remove_node(cluster.head_node, allow_graceful=False)


if __name__ == "__main__":
    main()
