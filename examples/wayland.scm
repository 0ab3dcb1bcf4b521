;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A client of a Wayland compositor without libwayland: lists the globals, and
;;; shares memory with the compositor by passing it a descriptor, as every window
;;; begins.  With the argument `hold' it stays connected until its input ends.

(use-modules (ice-9 binary-ports)
             (ice-9 exceptions)
             (ice-9 match)
             (rnrs bytevectors)
             (srfi srfi-1)
             (sockport))

;;; Requests and events: the object's id, then size and opcode in one word, then
;;; arguments, all in words of the machine's byte order.

(define (word number)
  (let ((bytes (make-bytevector 4)))
    (bytevector-u32-native-set! bytes 0 number)
    bytes))

(define (text-bytes text)
  (let* ((utf8 (string->utf8 text))
         (length (+ 1 (bytevector-length utf8)))
         (bytes (make-bytevector (+ 4 (* 4 (quotient (+ length 3) 4))) 0)))
    (bytevector-u32-native-set! bytes 0 length)
    (bytevector-copy! utf8 0 bytes 4 (- length 1))
    bytes))

(define (argument-bytes argument)
  (if (string? argument) (text-bytes argument) (word argument)))

(define (request sock object opcode arguments . ports)
  "Send a request; PORTS are its descriptors, which are no part of its bytes."
  (let* ((slices (map argument-bytes arguments))
         (size (fold + 8 (map bytevector-length slices)))
         (slices (cons* (word object)
                        (word (logior (ash size 16) opcode))
                        slices)))
    (if (null? ports)
        (sendmsg sock slices)
        (send-ports sock ports slices))))

(define (read-bytes sock size)
  (let ((bytes (make-bytevector size)))
    (unless (= size (recv! sock bytes MSG_WAITALL))
      (error "the compositor has closed the connection"))
    bytes))

(define (read-event sock)
  "The next event: object, opcode and the bytes of its arguments."
  (let* ((head (read-bytes sock 8))
         (second (bytevector-u32-native-ref head 4)))
    (values (bytevector-u32-native-ref head 0)
            (logand second #xffff)
            (read-bytes sock (- (ash second -16) 8)))))

(define (text-at bytes at)
  (let* ((length (- (bytevector-u32-native-ref bytes at) 1))
         (text (make-bytevector length)))
    (bytevector-copy! bytes (+ at 4) text 0 length)
    (utf8->string text)))

;;; The objects of this program: the first is there from the start, the others are
;;; numbered by the client.

(define display-id 1)
(define registry-id 2)
(define first-callback 3)
(define shm-id 4)
(define pool-id 5)
(define buffer-id 6)
(define second-callback 7)

(define (refuse-error bytes)
  (error "the compositor refuses:" (text-at bytes 8)))

(define (events-until-done sock callback)
  "The events up to that of CALLBACK: lists of object, opcode and bytes."
  (let loop ((events '()))
    (call-with-values (lambda () (read-event sock))
      (lambda (object opcode bytes)
        (cond ((= object callback) (reverse events))
              ((and (= object display-id) (= opcode 0)) (refuse-error bytes))
              (else (loop (cons (list object opcode bytes) events))))))))

(define (round-trip sock callback)
  (request sock display-id 0 (list callback)) ; wl_display.sync
  (events-until-done sock callback))

(define (list-globals sock)
  "The globals: lists of name, interface and version."
  (request sock display-id 1 (list registry-id)) ; wl_display.get_registry
  (filter-map
   (match-lambda
     ((object 0 bytes)                  ; wl_registry.global
      (and (= object registry-id)
           (let* ((interface (text-at bytes 4))
                  (end (- (bytevector-length bytes) 4)))
             (list (bytevector-u32-native-ref bytes 0)
                   interface
                   (bytevector-u32-native-ref bytes end)))))
     (_ #f))
   (round-trip sock first-callback)))

;;; Memory that both have: a file without a name.

(define width 64)
(define height 48)
(define stride (* 4 width))
(define size (* stride height))

(define (shared-memory)
  (let* ((port (mkstemp! (string-copy "/dev/shm/sockport-XXXXXX") "w+b"))
         (name (port-filename port)))
    (delete-file name)
    (put-bytevector port (make-bytevector size #x80))
    (force-output port)
    port))

(define (share-memory sock shm-name)
  "Give the compositor memory for a picture; return the formats that it takes."
  (request sock registry-id 0           ; wl_registry.bind
           (list shm-name "wl_shm" 1 shm-id))
  (let ((memory (shared-memory)))
    (request sock shm-id 0              ; wl_shm.create_pool
             (list pool-id size) memory)
    (close-port memory))
  (request sock pool-id 0               ; wl_shm_pool.create_buffer
           (list buffer-id 0 width height stride 0))
  (filter-map (match-lambda
                ((object 0 bytes)       ; wl_shm.format
                 (and (= object shm-id) (bytevector-u32-native-ref bytes 0)))
                (_ #f))
              (round-trip sock second-callback)))

(define (format-name number)
  (match number
    (0 "ARGB8888")
    (1 "XRGB8888")
    (_ (utf8->string (word number)))))

(define (compositor-name)
  (let ((name (or (getenv "WAYLAND_DISPLAY") "wayland-0"))
        (directory (getenv "XDG_RUNTIME_DIR")))
    (cond ((string-prefix? "/" name) name)
          (directory (string-append directory "/" name))
          (else (error "XDG_RUNTIME_DIR is not set: does a compositor run?")))))

(define (compositor-socket)
  (let ((sock (socket AF_UNIX SOCK_STREAM 0)))
    (connect sock AF_UNIX (compositor-name))
    sock))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (let* ((sock (compositor-socket))
         (globals (list-globals sock)))
    (for-each (match-lambda
                ((name interface version)
                 (format #t "~a ~a version ~a~%" name interface version)))
              globals)
    (match (find (lambda (global) (string=? "wl_shm" (second global))) globals)
      ((name . _)
       (format #t "~a bytes are shared, for pictures of ~a~%" size
               (string-join (map format-name (share-memory sock name)) ", "))))
    (force-output)
    (when (member "hold" (command-line))
      (get-bytevector-all (current-input-port)))
    (close-port sock)))
