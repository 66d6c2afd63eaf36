"""Plain Spark `local[2]`, as a process: reads one pickled job per line (base64) on stdin, answers seconds as JSON.

It runs the very statement and write that Spark on Ray runs, with the same options but for where executors live.
"""

import base64
import json
import pickle
import sys
import time

from pyspark.sql import SparkSession

from cluster.settings import load_settings
from cluster.spark_session import executor_bounds, spark_configs
from pipelines.joins.spark_child import write_join


def main() -> None:
    """Serve jobs until stdin closes."""
    settings = load_settings()
    configs = spark_configs(settings, executor_bounds(settings, 3))
    own = ("spark.ray.", "spark.dynamicAllocation.", "spark.executor.")
    builder = SparkSession.builder.master("local[2]").appName("plain")
    for name, value in configs.items():
        if not name.startswith(own):
            builder = builder.config(name, value)
    spark = builder.config("spark.driver.memory", "3g").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        storage, request = pickle.loads(base64.b64decode(line))
        began = time.perf_counter()
        files = write_join(spark, storage, request)
        print(json.dumps({"seconds": time.perf_counter() - began, "files": files}), flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
