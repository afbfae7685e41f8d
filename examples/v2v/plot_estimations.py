#!/usr/bin/env python3
"""Plots what one vehicle received from the others.

    python3 plot_estimations.py FOLDER VEHICLE_ID OUTPUT.png

FOLDER holds the files of `holdfast/logger`, or of `holdfast export --format csv --preset vehicle`. Needs pandas and
matplotlib. Prints a summary as one line of JSON.
"""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd


def read(folder: Path, name: str, vehicle: str) -> pd.DataFrame:
    # Ids are names: 07 is not 7.
    names = {"sender_id": str, "vehicle_id": str}
    rows = pd.read_csv(folder / f"{name}_vehicle_{vehicle}.csv", dtype=names)
    # Seconds between sending and receiving, with the difference of the two clocks in it.
    rows["latency"] = rows["receive_time"] - rows["timestamp"]
    return rows


def main(folder: Path, vehicle: str, output: Path) -> None:
    local = read(folder, "received_local_estimations", vehicle)
    fleet = read(folder, "received_fleet_estimations", vehicle)
    figure, (where, late) = plt.subplots(1, 2, figsize=(12, 5))

    for sender, rows in local.groupby("sender_id"):
        where.plot(rows["x"], rows["y"], label=f"vehicle {sender}, by itself")
    for about, rows in fleet.groupby("vehicle_id"):
        where.plot(rows["x"], rows["y"], "x", markersize=3, label=f"vehicle {about}, by others")
    where.set(xlabel="x (m)", ylabel="y (m)", title=f"What vehicle {vehicle} received", aspect="equal")
    where.legend(fontsize="small")

    start = local["receive_time"].min()
    for sender, rows in local.groupby("sender_id"):
        late.plot(rows["receive_time"] - start, rows["latency"] * 1e3, ".", label=f"from vehicle {sender}")
    late.set(xlabel="time (s)", ylabel="received minus sent (ms)", title="Latency")
    late.legend(fontsize="small")

    figure.tight_layout()
    figure.savefig(output, dpi=100)
    summary = {
        "senders": sorted(local["sender_id"].unique()),
        "local_rows": len(local),
        "fleet_rows": len(fleet),
        "vehicles": sorted(fleet["vehicle_id"].unique()),
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
