"""Which media type a file name stands for: a table of our own.

The standard library's differs by Python version (`.js` for one) and by the host's `mime.types`, so that the
same app would answer differently on two machines. Types are IANA's where it has one; the few others are what
browsers go by.

A name never says how a body is encoded: `a.tar.gz` is a gzip file, and nobody may unpack it on the way.
"""

from __future__ import annotations

from typing import Final

from heaven_core._checks import check_str
from heaven_core.http.grammar import TOKEN

__all__ = ["content_type", "is_page", "media_type"]

_UNKNOWN: Final = "application/octet-stream"
_PAGES: Final = frozenset({None, "text/html", "application/xhtml+xml"})
_EXTENSIONS: Final = {
    # Text: these get a charset. XML does not belong here, since its charset is in the document.
    "text/calendar": "ics ifb",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "html htm",
    "text/javascript": "js mjs cjs",  # RFC 9239
    "text/markdown": "md markdown",
    "text/n3": "n3",
    "text/plain": "txt text log conf cfg ini c h cc cpp hpp cs go java kt rs swift diff patch rst tex",
    "text/tab-separated-values": "tsv",
    "text/turtle": "ttl",
    "text/vcard": "vcf vcard",
    "text/vtt": "vtt",
    "text/x-python": "py pyi",
    "text/x-scss": "scss",
    "text/x-shellscript": "sh bash zsh",
    # Data and documents.
    "application/atom+xml": "atom",
    "application/cbor": "cbor",
    "application/dash+xml": "mpd",
    "application/epub+zip": "epub",
    "application/geo+json": "geojson",
    "application/geopackage+sqlite3": "gpkg",
    "application/gpx+xml": "gpx",
    "application/json": "json map topojson",
    "application/json5": "json5",
    "application/jsonl": "jsonl ndjson",
    "application/ld+json": "jsonld",
    "application/manifest+json": "webmanifest",
    "application/mbox": "mbox",
    "application/msword": "doc dot",
    "application/n-quads": "nq",
    "application/n-triples": "nt",
    "application/pdf": "pdf",
    "application/pgp-keys": "asc",
    "application/pgp-signature": "sig",
    "application/pkcs7-mime": "p7m p7c",
    "application/pkcs8": "p8",
    "application/pkix-cert": "cer",
    "application/pkix-crl": "crl",
    "application/postscript": "ps eps ai",
    "application/rdf+xml": "rdf",
    "application/rss+xml": "rss",
    "application/rtf": "rtf",
    "application/smil+xml": "smil smi",
    "application/sparql-query": "rq",
    "application/sql": "sql",
    "application/toml": "toml",
    "application/trig": "trig",
    "application/vnd.amazon.ebook": "azw",
    "application/vnd.apache.arrow.file": "arrow",
    "application/vnd.apache.arrow.stream": "arrows",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.apple.keynote": "key",
    "application/vnd.apple.mpegurl": "m3u8 m3u",
    "application/vnd.apple.numbers": "numbers",
    "application/vnd.apple.pages": "pages",
    "application/vnd.google-earth.kml+xml": "kml",
    "application/vnd.google-earth.kmz": "kmz",
    "application/vnd.mapbox-vector-tile": "mvt",
    "application/vnd.ms-excel": "xls xlt",
    "application/vnd.ms-excel.sheet.macroenabled.12": "xlsm",
    "application/vnd.ms-fontobject": "eot",
    "application/vnd.ms-outlook": "msg",
    "application/vnd.ms-powerpoint": "ppt pps",
    "application/vnd.oasis.opendocument.graphics": "odg",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.presentationml.slideshow": "ppsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.template": "xltx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template": "dotx",
    "application/vnd.sqlite3": "sqlite sqlite3 db",
    "application/vnd.visio": "vsd",
    "application/wasm": "wasm",
    "application/x-bibtex": "bib",
    "application/x-ipynb+json": "ipynb",
    "application/x-mobipocket-ebook": "mobi",
    "application/x-pem-file": "pem",
    "application/x-pkcs12": "p12 pfx",
    "application/xhtml+xml": "xhtml xht",
    "application/xml": "xml xsd xsl",
    "application/xml-dtd": "dtd",
    "application/xslt+xml": "xslt",
    "application/yaml": "yaml yml",  # RFC 9512
    "application/yang": "yang",
    "message/rfc822": "eml mht mhtml",
    # Packages and programs.
    "application/gzip": "gz tgz",
    "application/java-archive": "jar war ear",
    "application/vnd.android.package-archive": "apk",
    "application/vnd.debian.binary-package": "deb",
    "application/vnd.efi.iso": "iso",
    "application/vnd.microsoft.portable-executable": "exe dll",
    "application/vnd.ms-cab-compressed": "cab",
    "application/vnd.rar": "rar",
    "application/x-7z-compressed": "7z",
    "application/x-apple-diskimage": "dmg",
    "application/x-bittorrent": "torrent",
    "application/x-bzip2": "bz2",
    "application/x-msi": "msi",
    "application/x-rpm": "rpm",
    "application/x-tar": "tar",
    "application/x-xpinstall": "xpi",
    "application/x-xz": "xz",
    "application/zip": "zip whl",
    "application/zstd": "zst",
    # Images.
    "image/apng": "apng",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/jp2": "jp2",
    "image/jpeg": "jpg jpeg jpe jfif",
    "image/jxl": "jxl",
    "image/ktx2": "ktx2",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tif tiff",
    "image/vnd.adobe.photoshop": "psd",
    "image/vnd.djvu": "djvu djv",
    "image/vnd.microsoft.icon": "ico cur",
    "image/webp": "webp",
    "image/x-portable-bitmap": "pbm",
    "image/x-portable-graymap": "pgm",
    "image/x-portable-pixmap": "ppm",
    # Sound.
    "audio/aac": "aac",
    "audio/aiff": "aif aiff",
    "audio/amr": "amr",
    "audio/basic": "au snd",
    "audio/flac": "flac",  # RFC 9639
    "audio/matroska": "mka",
    "audio/midi": "mid midi",
    "audio/mp4": "m4a m4b",
    "audio/mpeg": "mp3 mp2",
    "audio/ogg": "ogg oga opus spx",
    "audio/wav": "wav",  # IANA's audio/vnd.wave is unknown to Firefox
    "audio/webm": "weba",
    "audio/x-ms-wma": "wma",
    # Moving images.
    "video/3gpp": "3gp",
    "video/3gpp2": "3g2",
    "video/matroska": "mkv",
    "video/mp2t": "ts m2ts",  # TypeScript has no type, and no browser runs it
    "video/mp4": "mp4 m4v mp4v",
    "video/mpeg": "mpeg mpg mpe",
    "video/ogg": "ogv",
    "video/quicktime": "mov qt",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/x-ms-wmv": "wmv",
    "video/x-msvideo": "avi",
    # Fonts (RFC 8081) and models.
    "font/collection": "ttc",
    "font/otf": "otf",
    "font/ttf": "ttf",
    "font/woff": "woff",
    "font/woff2": "woff2",
    "model/3mf": "3mf",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
    "model/mtl": "mtl",
    "model/obj": "obj",
    "model/stl": "stl",
    "model/vnd.usdz+zip": "usdz",
}

_TYPES: Final = {extension: name for name, extensions in _EXTENSIONS.items() for extension in extensions.split()}


def media_type(filename: str) -> str:
    """The media type of a file called `filename`, by its last extension, without regard to case.

    `application/octet-stream` where there is none or it is unknown. Directories before the name are passed
    over; the dots that a hidden file begins with start no extension.
    """
    name = filename.rpartition("/")[2].lstrip(".")
    _, dot, extension = name.rpartition(".")
    return _TYPES.get(extension.lower(), _UNKNOWN) if dot else _UNKNOWN


def is_page(filename: str) -> bool:
    """Whether a file called `filename` may be a page of HTML: by its extension, or since it has none that is known."""
    name = filename.rpartition("/")[2].lstrip(".")
    _, dot, extension = name.rpartition(".")
    return not dot or _TYPES.get(extension.lower()) in _PAGES


def content_type(filename: str, charset: str | None = "utf-8") -> str:
    """`media_type(filename)` as the value of Content-Type: `text/*` with `charset`, unless that is `None`.

    Raises `ValueError` if `charset` is no token (RFC 9110 §8.3.2).
    """
    if charset is not None:
        charset = check_str("charset=", charset)
    if charset is not None and TOKEN.fullmatch(charset) is None:
        raise ValueError(f'{charset!r} is no charset; write its name, such as "utf-8", or None to leave it off')
    name = media_type(filename)
    return f"{name}; charset={charset}" if charset is not None and name.startswith("text/") else name
