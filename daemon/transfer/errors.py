"""What can go wrong in transfer/; each message names the way out."""


class RecipeError(ValueError):
    """This recipe cannot work with these weights or pictures; the message names the way out."""


class DeviceError(RuntimeError):
    """The device that was asked for is not there; the message names those that are."""


class TooLargeError(RuntimeError):
    """The picture does not fit into the device's memory, not even in the smallest tiles."""


class WeightsError(RuntimeError):
    """These weights are not there, damaged, or not VGG19's; the message says which and what to do."""


class DownloadError(RuntimeError):
    """The file did not come whole; the message says what came instead and what to do."""
