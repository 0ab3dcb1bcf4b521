;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The media types of files, by the last part of their names (the registry of IANA,
;;; and what browsers are used to).

(define-module (sockport serve file-type)
  #:use-module (srfi srfi-1)
  #:export (file-type
            default-file-types))

(define utf-8 '(charset . "utf-8"))

(define default-file-types
  `(("html" text/html ,utf-8) ("htm" text/html ,utf-8)
    ("css" text/css ,utf-8)
    ("js" text/javascript ,utf-8) ("mjs" text/javascript ,utf-8)
    ("json" application/json) ("map" application/json)
    ("webmanifest" application/manifest+json)
    ("txt" text/plain ,utf-8) ("text" text/plain ,utf-8)
    ("md" text/markdown ,utf-8) ("csv" text/csv ,utf-8)
    ("scm" text/plain ,utf-8) ("c" text/plain ,utf-8) ("h" text/plain ,utf-8)
    ("ics" text/calendar ,utf-8) ("vcf" text/vcard ,utf-8)
    ("vtt" text/vtt ,utf-8)
    ("xml" application/xml) ("xhtml" application/xhtml+xml)
    ("atom" application/atom+xml) ("rss" application/rss+xml)
    ("pdf" application/pdf) ("epub" application/epub+zip)
    ("rtf" application/rtf) ("ps" application/postscript)
    ("wasm" application/wasm)
    ("zip" application/zip) ("gz" application/gzip) ("tgz" application/gzip)
    ("bz2" application/x-bzip2) ("xz" application/x-xz)
    ("zst" application/zstd) ("tar" application/x-tar)
    ("7z" application/x-7z-compressed)
    ("deb" application/vnd.debian.binary-package)
    ("png" image/png) ("jpg" image/jpeg) ("jpeg" image/jpeg) ("gif" image/gif)
    ("webp" image/webp) ("avif" image/avif) ("svg" image/svg+xml)
    ("ico" image/vnd.microsoft.icon) ("bmp" image/bmp) ("tif" image/tiff)
    ("tiff" image/tiff)
    ("woff" font/woff) ("woff2" font/woff2) ("ttf" font/ttf) ("otf" font/otf)
    ("mp3" audio/mpeg) ("ogg" audio/ogg) ("oga" audio/ogg) ("opus" audio/ogg)
    ("flac" audio/flac) ("wav" audio/wav) ("m4a" audio/mp4) ("aac" audio/aac)
    ("mid" audio/midi)
    ("mp4" video/mp4) ("m4v" video/mp4) ("webm" video/webm) ("ogv" video/ogg)
    ("mov" video/quicktime) ("mkv" video/matroska)
    ("odt" application/vnd.oasis.opendocument.text)
    ("ods" application/vnd.oasis.opendocument.spreadsheet)
    ("odp" application/vnd.oasis.opendocument.presentation)
    ("docx"
     application/vnd.openxmlformats-officedocument.wordprocessingml.document)
    ("xlsx" application/vnd.openxmlformats-officedocument.spreadsheetml.sheet)
    ("pptx"
     application/vnd.openxmlformats-officedocument.presentationml.presentation)))

(define (extension name)
  (let ((dot (string-rindex name #\.)) (slash (string-rindex name #\/)))
    (and dot
         (> dot (if slash (+ slash 1) 0))
         (string-downcase (substring name (+ dot 1))))))

(define (file-type name types)
  "Return the value of Content-Type for the file NAME: by TYPES, an alist from
extensions, or by the table here; bytes, if neither has it."
  (let ((extension (extension name)))
    (or (and extension
             (or (assoc-ref types extension)
                 (assoc-ref default-file-types extension)))
        '(application/octet-stream))))
