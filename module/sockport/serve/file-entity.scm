;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A file as HTTP has it: opened below a directory, with the headers that follow
;;; from what it is.  They are remembered, for as long as the file stays the same;
;;; whether it did is asked of the system each time.

(define-module (sockport serve file-entity)
  #:use-module (ice-9 match)
  #:use-module (rnrs bytevectors)
  #:use-module (srfi srfi-9)
  #:use-module (srfi srfi-19)
  #:use-module (sockport primitive)
  #:use-module (web uri)
  #:export (make-places
            open-entity
            entity-etag
            entity-headers
            entity-modified
            entity-size
            path->components))

;;; Most paths are as their file's name is written.
(define plain-characters
  (string->char-set
   (string-append "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                  "0123456789-._~!$&'()*+,;=:@/")))

(define (split-path path)
  (if (string-every plain-characters path)
      (string-tokenize path not-slash)
      (split-and-decode-uri-path path)))

(define not-slash (char-set-complement (char-set #\/)))

(define (decode-path path hidden?)
  (define (good? name)
    (not (or (string-index name #\/)
             (string-index name #\nul)
             (member name '("." ".."))
             (and (not hidden?)
                  (string-prefix? "." name)
                  (not (string=? name ".well-known"))))))
  (let ((names (catch #t
                 (lambda () (split-path path))
                 (lambda (key . args)
                   (if (memq key '(uri-error decoding-error))
                       #f
                       (apply throw key args))))))
    (and names
         (let all-good? ((rest names))
           (or (null? rest) (and (good? (car rest)) (all-good? (cdr rest)))))
         names)))

;;; A place for each of so many, by the hash of their keys: bounded, and threads
;;; need no lock.
(define places 1024)

(define (make-places)
  (make-vector places #f))

(define (path->components known path hidden?)
  "Return the names that PATH, of a target, consists of, or #f if it cannot be that of
a file that is to be served.  KNOWN, of `make-places', has those of some paths, with
the same HIDDEN?."
  (let* ((place (hash path places)) (pair (vector-ref known place)))
    (if (and pair (string=? path (car pair)))
        (cdr pair)
        (let ((names (decode-path path hidden?)))
          ;; The path is the request's, whose handler may change it.
          (vector-set! known place (cons (string-copy path) names))
          names))))

;;; What is known of a file: NAME is its name, in bytes, FOUND what the system said
;;; of it.
(define-record-type <entity>
  (make-entity key name found etag headers)
  entity?
  (key entity-key)
  (name entity-name)
  (found entity-found)
  (etag entity-etag)
  (headers entity-headers))

(define (entity-size entity) (vector-ref (entity-found entity) 1))
(define (entity-modified entity) (vector-ref (entity-found entity) 3))

(define (same? a b)
  "Is the file the same, the descriptor apart?"
  (let next ((i 1))
    (or (= i 5)
        (and (eqv? (vector-ref a i) (vector-ref b i))
             (next (+ i 1))))))

(define (etag found)
  (match found
    (#(_ size inode seconds nanoseconds)
     (cons (string-append (number->string size 16) "-"
                          (number->string seconds 16) "-"
                          (number->string nanoseconds 16) "-"
                          (number->string inode 16))
           #t))))

(define (date seconds)
  (time-utc->date (make-time time-utc 0 seconds) 0))

(define (describe key name found headers)
  (let ((etag (etag found)))
    (make-entity (string-copy key) name found etag
                 `((last-modified . ,(date (vector-ref found 3)))
                   (etag . ,etag)
                   ,@headers))))

(define (open-entity entities directory links key name headers)
  "Open what (NAME) names below DIRECTORY.  Return the entity, which has those of
(HEADERS) among its headers, and a descriptor; or a number, 0 for a directory, else a
negative errno, and #f.  KEY is a string that stands for all of this among ENTITIES,
of `make-places'."
  (let* ((place (hash key places))
         (remembered (vector-ref entities place))
         (known (and remembered
                     (string=? key (entity-key remembered))
                     remembered))
         (bytes (if known (entity-name known) (string->utf8 (name))))
         (found (make-vector 5 #f))
         (result (%file-open directory bytes links found)))
    (cond ((not (eqv? result 1)) (values result #f))
          ((and known (same? found (entity-found known)))
           (values known (vector-ref found 0)))
          (else
           (let ((entity (describe key bytes found (headers))))
             (vector-set! entities place entity)
             (values entity (vector-ref found 0)))))))
