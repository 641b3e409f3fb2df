"""How far atoll's figures are from what the machine could do: the operations of the work at the machine's peak, and the bytes that have to
move at the speed of its memory. atoll measures both beside its figures, and the best of all rounds counts: another guest of the
host can only make a measurement slower."""

import statistics

ADAMW_BYTES = 30  # of a parameter: the weight, both moments and the gradient are read, all but the gradient are written, and bf16's copy


def of_training(result: dict, peak: float, bandwidth: float) -> float:
    return of_products(result, peak, bandwidth) + ADAMW_BYTES * result["parameters"] / bandwidth / (result["milliseconds"] / 1e3)


def of_products(result: dict, peak: float, bandwidth: float) -> float:
    return result["peak_share"] * own_peak(result) / peak


def of_prompt(result: dict, peak: float, bandwidth: float) -> float:
    return result.get("prompt_peak_share", 0) * own_peak(result) / peak


def of_decoding(result: dict, peak: float, bandwidth: float) -> float:
    return result["bandwidth_share"] * result["machine"]["peak_reading"] / bandwidth


def own_peak(result: dict) -> float:
    """Operations a second of products in the precision that the result's are in."""
    machine = result["machine"]
    return machine["peaks_flops"].get(result.get("products") or machine["precision"]) or machine["peak_flops"]


def share(kind: str, results: list[dict]) -> float | None:
    """The least time of the work over the time it took, in the median of the rounds; None where nothing of the kind is known."""
    if kind not in KINDS or not results:
        return None
    speed = "peak_reading" if kind == "decoding" else "peak_bandwidth"
    peak, bandwidth = max(own_peak(result) for result in results), max(result["machine"].get(speed, 0) for result in results)
    if not peak or not bandwidth:
        return None  # an older atoll, or a machine without the memory to measure it
    return statistics.median(KINDS[kind](result, peak, bandwidth) for result in results)


KINDS = {"training": of_training, "products": of_products, "prompt": of_prompt, "decoding": of_decoding}
