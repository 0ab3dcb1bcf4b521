;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A client of the message bus, D-Bus, without its library: who is on the bus, and
;;; open files handed from one client to another, through the daemon.
;;;
;;;   dbus.scm list                 the names on the bus
;;;   dbus.scm take NAME            is called NAME until it was given a file, and
;;;                                 copies that to standard output
;;;   dbus.scm give NAME FILE       gives FILE to the client called NAME
;;;
;;; The bus is that of DBUS_SESSION_BUS_ADDRESS.

(use-modules (ice-9 binary-ports) (ice-9 exceptions) (ice-9 match)
             (rnrs bytevectors) (srfi srfi-1) (sockport))

;;; What the bus is made of: types are characters of signatures, (array TYPE),
;;; (struct TYPE …); values are numbers, strings, lists, and pairs of a signature
;;; and a value for variants.

(define (parse-types chars)
  "The types at the head of CHARS, and what is left after a closing bracket."
  (let loop ((chars chars) (types '()))
    (define (parse-one chars)
      (match chars
        ((#\a . rest)
         (call-with-values (lambda () (parse-one rest))
           (lambda (type rest) (values `(array ,type) rest))))
        (((or #\( #\{) . rest)
         (call-with-values (lambda () (parse-types rest))
           (lambda (types rest) (values `(struct ,@types) rest))))
        ((char . rest) (values char rest))))
    (match chars
      (() (values (reverse types) '()))
      (((or #\) #\}) . rest) (values (reverse types) rest))
      (_ (call-with-values (lambda () (parse-one chars))
           (lambda (type rest) (loop rest (cons type types))))))))

(define (signature->types signature)
  (call-with-values (lambda () (parse-types (string->list signature)))
    (lambda (types rest) types)))

(define (alignment type)
  (match type
    ((or #\y #\g #\v) 1)
    (('struct . _) 8)
    (_ 4)))                             ; no number of 64 bits is used here

(define (align at alignment)
  (* alignment (quotient (+ at alignment -1) alignment)))

;;; Encoding: TYPE's VALUE as a list of bytes that begins at AT, least significant
;;; byte first.

(define (u32-bytes number)
  (map (lambda (shift) (logand 255 (ash number shift))) '(0 -8 -16 -24)))

(define (text-bytes text)
  (append (bytevector->u8-list (string->utf8 text)) '(0)))

(define (encode-all types values at)
  (fold (lambda (type value bytes)
          (append bytes (encode type value (+ at (length bytes)))))
        '() types values))

(define (encode type value at)
  (define start (align at (alignment type)))
  (append
   (make-list (- start at) 0)
   (match type
     (#\y (list value))
     ((or #\u #\h #\b) (u32-bytes value))
     ((or #\s #\o) (let ((bytes (text-bytes value)))
                     (append (u32-bytes (- (length bytes) 1)) bytes)))
     (#\g (cons (string-length value) (text-bytes value)))
     (#\v (match value
            ((signature . value)
             (encode-all (list #\g (car (signature->types signature)))
                         (list signature value) start))))
     (('struct . types) (encode-all types value start))
     (('array type)
      (let* ((first (align (+ start 4) (alignment type)))
             (bytes (encode-all (map (const type) value) value first)))
        (append (u32-bytes (length bytes))
                (make-list (- first start 4) 0)
                bytes))))))

;;; Decoding: the value of TYPE at AT, and where the next one begins.

(define (text-at bytes at length)
  (let ((text (make-bytevector length)))
    (bytevector-copy! bytes at text 0 length)
    (utf8->string text)))

(define (decode-all types bytes at)
  (let loop ((types types) (at at) (values* '()))
    (match types
      (() (values (reverse values*) at))
      ((type . types)
       (call-with-values (lambda () (decode type bytes at))
         (lambda (value at) (loop types at (cons value values*))))))))

(define (decode type bytes at)
  (define start (align at (alignment type)))
  (define (u32) (bytevector-u32-ref bytes start (endianness little)))
  (match type
    (#\y (values (bytevector-u8-ref bytes start) (+ start 1)))
    ((or #\u #\h #\b) (values (u32) (+ start 4)))
    ((or #\s #\o)
     (values (text-at bytes (+ start 4) (u32)) (+ start 4 (u32) 1)))
    (#\g (let ((length (bytevector-u8-ref bytes start)))
           (values (text-at bytes (+ start 1) length) (+ start 1 length 1))))
    (#\v (call-with-values (lambda () (decode #\g bytes start))
           (lambda (signature at)
             (decode (car (signature->types signature)) bytes at))))
    (('struct . types) (decode-all types bytes start))
    (('array type)
     (let* ((first (align (+ start 4) (alignment type)))
            (end (+ first (u32))))
       (let loop ((at first) (elements '()))
         (if (>= at end)
             (values (reverse elements) end)
             (call-with-values (lambda () (decode type bytes at))
               (lambda (value at) (loop at (cons value elements))))))))))

;;; Messages.  A header's fields are numbered.

(define header-types (signature->types "yyyyuua(yv)"))
(define fields
  '((path 1 "o") (interface 2 "s") (member 3 "s") (error 4 "s")
    (reply-to 5 "u") (destination 6 "s") (sender 7 "s") (signature 8 "g")
    (descriptors 9 "u")))
(define-values (CALL RETURN ERROR) (values 1 2 3))

(define (field-list alist)
  (filter-map (match-lambda
                ((name number signature)
                 (let ((value (assq-ref alist name)))
                   (and value (list number (cons signature value))))))
              fields))

(define serial 0)

(define (send-message sock type alist signature values ports)
  "Send a message, PORTS along with it; return its serial number."
  (let* ((body (encode-all (signature->types signature) values 0))
         (alist `((signature . ,signature) (descriptors . ,(length ports))
                  ,@alist)))
    (set! serial (+ serial 1))
    (let* ((head (encode-all header-types
                             (list (char->integer #\l) type 0 1 (length body)
                                   serial (field-list alist))
                             0))
           (padding (make-list (- (align (length head) 8) (length head)) 0))
           (bytes (u8-list->bytevector (append head padding body))))
      (if (null? ports)
          (send sock bytes)
          (send-ports sock ports bytes)))
    serial))

(define (receive-exactly sock size)
  "The next SIZE bytes, and the ports that came with them."
  (let ((bytes (make-bytevector size)))
    (let loop ((start 0) (all '()))
      (if (= start size)
          (values bytes all)
          (call-with-values
              (lambda () (recv-ports sock (list (list bytes start))))
            (lambda (ports message)
              (when (zero? (message-length message))
                (error "the bus has closed the connection"))
              (loop (+ start (message-length message))
                    (append all ports))))))))

(define (receive-message sock)
  "The next message: its type, an alist of its fields, its values and its ports."
  (define (u32 bytes at) (bytevector-u32-ref bytes at (endianness little)))
  (define-values (start ports) (receive-exactly sock 16))
  (define end-of-fields (+ 16 (u32 start 12)))
  (define-values (rest more-ports)
    (receive-exactly sock (+ (- (align end-of-fields 8) 16) (u32 start 4))))
  (define whole
    (u8-list->bytevector (append (bytevector->u8-list start)
                                 (bytevector->u8-list rest))))
  (define-values (header end) (decode-all header-types whole 0))
  (define alist
    (filter-map (match-lambda
                  ((number value)
                   (any (match-lambda
                          ((name n _) (and (= n number) (cons name value))))
                        fields)))
                (last header)))
  (define-values (values* at)
    (decode-all (signature->types (or (assq-ref alist 'signature) ""))
                whole (align end 8)))
  (values (second header) (acons 'serial (sixth header) alist) values*
          (append ports more-ports)))

;;; The bus.

(define (socket-path)
  (match (string-split (or (getenv "DBUS_SESSION_BUS_ADDRESS") "") #\,)
    (((? (lambda (part) (string-prefix? "unix:path=" part)) part) . _)
     (substring part (string-length "unix:path=")))
    (((? (lambda (part) (string-prefix? "unix:abstract=" part)) part) . _)
     (string-append "\0" (substring part (string-length "unix:abstract="))))
    (_ (error "DBUS_SESSION_BUS_ADDRESS names no UNIX socket: does a bus run?"))))

(define (read-reply sock)
  (let loop ((reply ""))
    (if (string-suffix? "\r\n" reply)
        reply
        (let ((char (make-string 1)))
          (recv! sock char)
          (loop (string-append reply char))))))

(define (ask sock line expected)
  (send sock (string-append line "\r\n"))
  (let ((reply (read-reply sock)))
    (unless (string-prefix? expected reply)
      (error "the bus answers" line reply))))

(define (connect-to-bus)
  (let ((sock (socket AF_UNIX SOCK_STREAM 0)))
    (connect sock AF_UNIX (socket-path))
    (send sock "\0")
    (ask sock (string-append
               "AUTH EXTERNAL "
               (string-concatenate
                (map (lambda (char) (number->string (char->integer char) 16))
                     (string->list (number->string (getuid))))))
         "OK ")
    (ask sock "NEGOTIATE_UNIX_FD" "AGREE_UNIX_FD")
    (send sock "BEGIN\r\n")
    (call-bus sock "Hello" "")
    sock))

(define* (call sock destination path interface member signature arguments
               #:optional (ports '()))
  "Call a method and return the list of what it answers."
  (define number
    (send-message sock CALL
                  `((path . ,path) (interface . ,interface) (member . ,member)
                    (destination . ,destination))
                  signature arguments ports))
  (let loop ()
    (call-with-values (lambda () (receive-message sock))
      (lambda (type alist values ports)
        (cond ((not (eqv? number (assq-ref alist 'reply-to))) (loop))
              ((= type ERROR) (error (assq-ref alist 'error) values))
              (else values))))))

(define (call-bus sock member signature . arguments)
  (call sock "org.freedesktop.DBus" "/org/freedesktop/DBus"
        "org.freedesktop.DBus" member signature arguments))

;;; What this program does with it.

(define interface "org.sockport.Files")

(define (list-names sock)
  (for-each (lambda (name) (format #t "~a~%" name))
            (sort (car (call-bus sock "ListNames" "")) string<?)))

(define (give sock name file)
  (let ((port (open-file file "r0b")))
    (call sock name "/" interface "Take" "sh" (list (basename file) 0)
          (list port))
    (close-port port)))

(define (copy port)
  (match (get-bytevector-all port)
    ((? eof-object?) #f)
    (bytes (put-bytevector (current-output-port) bytes)))
  (close-port port))

(define (take sock name)
  (call-bus sock "RequestName" "su" name 0)
  (let loop ()
    (call-with-values (lambda () (receive-message sock))
      (lambda (type alist values ports)
        (match (list type (assq-ref alist 'member) values)
          ((1 "Take" (file index))
           (copy (list-ref ports index))
           (send-message sock RETURN
                         `((reply-to . ,(assq-ref alist 'serial))
                           (destination . ,(assq-ref alist 'sender)))
                         "" '() '()))
          (_ (loop)))))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e) '(misc-error system-error wrong-type-arg))
           (print-exception (current-error-port) #f (exception-kind e)
                            (exception-args e))
           (exit 1)))
  (match (cdr (command-line))
    (("list") (list-names (connect-to-bus)))
    (("give" name file) (give (connect-to-bus) name file))
    (("take" name) (take (connect-to-bus) name))
    (_ (display "usage: dbus.scm list | give NAME FILE | take NAME\n"
                (current-error-port))
       (exit 2))))
