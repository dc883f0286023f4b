"""The errors that transfer/ raises; each message names the way out."""


class RecipeError(ValueError):
    """The recipe has an unknown or impossible setting, or needs deeper weights than these."""


class DeviceError(RuntimeError):
    """The device is not on this machine, or this torch cannot use it; the message says which, and what to set."""


class TooLargeError(RuntimeError):
    """The picture does not fit into the device's memory, even in the smallest tiles."""


class WeightsError(RuntimeError):
    """These weights are missing, damaged, or not VGG19's; the message says which, and what to do."""


class DownloadError(RuntimeError):
    """A file did not arrive whole; the message says what arrived instead, and what to do."""


def first_line(error: BaseException) -> str:
    """What an error says, without torch's advice in the lines below; its kind if the error says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
