"""A painting's record in its own metadata: an XMP packet in PNG (iTXt), JPEG (APP1) and WebP alike."""

import html
import re
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

from PIL import Image

from daemon.pictures.probing import open_picture
from daemon.pictures.refusals import decoding

LARGEST = 60_000  # bytes: JPEG holds 65,502 in one block
PNG_KEY = "XML:com.adobe.xmp"  # XMP specification, part 3
PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:styled="urn:styled:painting:1#">
<xmp:CreatorTool>styled</xmp:CreatorTool>
<styled:record>{}</styled:record>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
# The element that `packet` writes, or the attribute that a program may rewrite the element to.
RECORD = re.compile(r"<styled:record>(.*?)</styled:record>|styled:record=(?:\"(.*?)\"|'(.*?)')", re.DOTALL)


def packet(record: str) -> bytes:
    """XMP that holds `record`; b"" for an empty record and for a record that is too long for a file."""
    data = PACKET.format(escape(record)).encode() if record else b""
    return data if len(data) <= LARGEST else b""


def read_record(file: BinaryIO) -> str:
    """The record in `file`, or "". Raises JobError if `file` is not a picture, and OSError if the disk fails."""
    with decoding(file) as data:
        return _found(open_picture(data))


def _found(image: Image.Image) -> str:
    held: Any = image.info.get("xmp") or image.info.get(PNG_KEY) or b""
    text = held.decode(errors="replace") if isinstance(held, bytes) else str(held)
    match = RECORD.search(text[: 4 * LARGEST])
    return html.unescape(next(part for part in match.groups() if part is not None)) if match else ""
