;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Guile's own reading procedures in a task: what they ask a port for, and what they
;;; give, is what it is elsewhere.

(use-modules (harness)
             (harness task)
             (ice-9 binary-ports)
             (ice-9 format)
             (ice-9 iconv)
             (ice-9 match)
             (ice-9 rdelim)
             (ice-9 textual-ports)
             (rnrs bytevectors)
             (sockport))

(test-begin "task-reading")

;;; Who makes a port sees how it is read.
(define (asked-of mode size counts proc)
  "Return what PROC returns, called with a port that gives so many bytes as COUNTS says,
and then its end; and how many were asked for each time."
  (let* ((asked '())
         (port (make-custom-binary-input-port
                "port"
                (lambda (bytes start count)
                  (set! asked (cons count asked))
                  (match counts
                    (() 0)
                    ((n . rest)
                     (set! counts rest)
                     (bytevector-fill! bytes 1)
                     (min n count))))
                #f #f #f)))
    (if size (setvbuf port mode size) (setvbuf port mode))
    (let ((result (in-tasks (proc port))))
      (list (if (bytevector? result) (bytevector-length result) result)
            (reverse asked)))))

(define (count-read port)
  (get-bytevector-n port 6))

(test-case "a port is asked for what Guile's own procedures ask for"
  (test-equal "what is wanted, of one without a buffer" '(6 (6))
    (asked-of 'none #f '(6) count-read))
  (test-equal "or what is missing" '(6 (6 2))
    (asked-of 'none #f '(4 9) count-read))
  (test-equal "once, at its end" (list (eof-object) '(6))
    (asked-of 'none #f '() count-read))
  (test-equal "once, after a part" '(4 (6 2))
    (asked-of 'none #f '(4) count-read))
  (test-equal "anew, having ended" (list (eof-object) '(6 2 6))
    (asked-of 'none #f '(4)
              (lambda (port) (count-read port) (count-read port))))
  (test-equal "into bytes that are there" '(4 (6 2))
    (asked-of 'none #f '(4)
              (lambda (port)
                (get-bytevector-n! port (make-bytevector 6) 0 6))))
  (test-equal "a buffer's worth" '(6 (20 20 20))
    (asked-of 'block 20 '(2 2 2 2) count-read))
  (test-equal "until its end" '(4 (20 20 20))
    (asked-of 'block 20 '(2 2) count-read))
  (test-equal "which is not asked for again" (list (eof-object) '(20 20))
    (asked-of 'block 20 '(2)
              (lambda (port) (count-read port) (count-read port))))
  (test-equal "or more than that, if more is wanted" '(6 (6 4 3))
    (asked-of 'block 3 '(2 1 3) count-read)))

;;; A mark of the byte order begins what is read.

(define (marked encoding step)
  "Return a port that gives STEP bytes at a time of a text in ENCODING with a mark."
  (let* ((bytes (bytevector-append
                 (assoc-ref '(("UTF-8" . #vu8(#xef #xbb #xbf))
                              ("UTF-16" . #vu8(#xff #xfe))
                              ("UTF-32" . #vu8(#x00 #x00 #xfe #xff)))
                            encoding)
                 (string->bytevector "\uff21b\nc \ufeffd"
                                     (assoc-ref '(("UTF-8" . "UTF-8")
                                                  ("UTF-16" . "UTF-16LE")
                                                  ("UTF-32" . "UTF-32BE"))
                                                encoding))))
         (from (open-bytevector-input-port bytes))
         (port (make-custom-binary-input-port
                "port"
                (lambda (to start count)
                  (let ((n (get-bytevector-n! from to start (min count step))))
                    (if (eof-object? n) 0 n)))
                #f #f #f)))
    (set-port-encoding! port encoding)
    port))

(define (bytevector-append a b)
  (call-with-values open-bytevector-output-port
    (lambda (port get)
      (put-bytevector port a)
      (put-bytevector port b)
      (get))))

(test-case "a mark of the byte order is skipped as outside of tasks"
  (for-each
   (match-lambda
     ((name . read-it)
      (for-each
       (lambda (encoding)
         (for-each
          (lambda (step)
            (define (read-so)
              (let ((port (marked encoding step)))
                (let* ((first (read-it port)) (rest (get-string-all port)))
                  (list first rest))))
            (test-equal (format #f "~a, ~a, ~a at a time" name encoding step)
              (read-so)
              (in-tasks (read-so))))
          '(1 3 100)))
       '("UTF-8" "UTF-16" "UTF-32"))))
   `(("read-line" . ,read-line)
     ("get-line" . ,get-line)
     ("read-string" . ,read-string)
     ("get-string-all" . ,get-string-all)
     ("get-string-n" . ,(lambda (port) (get-string-n port 2)))
     ("read-delimited" . ,(lambda (port) (read-delimited "b" port)))
     ("read" . ,read)
     ("read-char" . ,read-char)
     ("get-bytevector-n" . ,(lambda (port)
                              (let ((some (get-bytevector-n port 4)))
                                (list some (get-bytevector-all port)))))
     ("get-bytevector-all" . ,get-bytevector-all))))

(test-end "task-reading")
