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
# As we write it, and as programs that rewrite metadata may: an attribute instead of an element.
RECORD = re.compile(r"<styled:record>(.*?)</styled:record>|styled:record=(?:\"(.*?)\"|'(.*?)')", re.DOTALL)


def packet(record: str) -> bytes:
    """XMP that holds `record`; b"" for none and for one that no file could hold."""
    data = PACKET.format(escape(record)).encode() if record else b""
    return data if len(data) <= LARGEST else b""


def read_record(file: BinaryIO) -> str:
    """The record that `file` carries, "" if it has none. JobError: it is no picture. OSError: the disk's."""
    with decoding(file) as data:
        return _found(open_picture(data))


def _found(image: Image.Image) -> str:
    held: Any = image.info.get("xmp") or image.info.get(PNG_KEY) or b""
    text = held.decode(errors="replace") if isinstance(held, bytes) else str(held)
    match = RECORD.search(text[: 4 * LARGEST])
    return html.unescape(next(part for part in match.groups() if part is not None)) if match else ""
