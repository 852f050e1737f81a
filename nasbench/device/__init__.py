"""What a network costs to run: latency, energy, memory, parameters, FLOPs.

Only descriptions are here, so that a recipe's devices are read without torch; networks are
counted in `nasbench.network.count` and written as ONNX files in `nasbench.device.export`.
"""

from nasbench.device.base import Device, DeviceSpec, Measurement, make_device

__all__ = ["Device", "DeviceSpec", "Measurement", "make_device"]
