;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; The example's D-Bus client against a real dbus-daemon, with dbus-send as the
;;; witness.

(use-modules (harness) (harness example) (harness process)
             (ice-9 match) (ice-9 rdelim) (ice-9 textual-ports) (srfi srfi-1))

(define dbus (example "dbus.scm"))

(define (with-bus thunk)
  "Call THUNK while a message bus is running that only this test knows."
  (require-program "dbus-daemon")
  (with-temporary-directory
   (lambda (directory)
     (call-with-peer
         (list "dbus-daemon" "--session" "--nofork" "--nopidfile"
               "--nosyslog" "--print-address"
               (string-append "--address=unix:path=" directory "/bus"))
       (lambda (peer)
         (let ((old (getenv "DBUS_SESSION_BUS_ADDRESS")))
           (dynamic-wind
             (lambda ()
               (setenv "DBUS_SESSION_BUS_ADDRESS"
                       (read-line (peer-output peer))))
             thunk
             (lambda () (setenv "DBUS_SESSION_BUS_ADDRESS" old)))))))))

(define (names)
  (match (output-of (dbus "list"))
    ((0 text) (string-split (string-trim-right text) #\newline))))

(define (well-known names)
  (remove (lambda (name) (string-prefix? ":" name)) names))

(define (names-by-dbus-send)
  (match (output-of '("dbus-send" "--session" "--print-reply=literal"
                      "--dest=org.freedesktop.DBus" "/"
                      "org.freedesktop.DBus.ListNames"))
    ((0 text)
     (sort (filter (lambda (word) (string-index word #\.))
                   (string-tokenize text))
           string<?))))

(define (call-with-taker name proc)
  (call-with-peer (dbus "take" name)
    (lambda (taker)
      (test-assert "is on the bus"
        (wait-until (lambda () (member name (names)))))
      (proc taker))))

(test-begin "real-dbus")

(test-case "who is on the bus"
  (with-bus
   (lambda ()
     (let ((names (names)))
       (test-equal "the bus, and this client" '("org.freedesktop.DBus")
         (well-known names))
       (test-equal "two" 2 (length names)))
     (when (in-path "dbus-send")
       (call-with-taker "org.sockport.Test"
         (lambda (taker)
           (test-equal "as dbus-send tells it"
             '("org.freedesktop.DBus" "org.sockport.Test")
             (well-known (names-by-dbus-send)))
           (test-equal "and the example" (well-known (names-by-dbus-send))
             (well-known (names)))))))))

(test-case "a file goes from one client to another"
  (with-bus
   (lambda ()
     (with-temporary-directory
      (lambda (directory)
        (let ((file (string-append directory "/file"))
              (words (string-concatenate
                      (map (lambda (i) (format #f "line ~a~%" i))
                           (iota 20000)))))
          (call-with-output-file file (lambda (port) (display words port)))
          (call-with-taker "org.sockport.Taker"
            (lambda (taker)
              (call-with-peer (dbus "give" "org.sockport.Taker" file)
                (lambda (giver)
                  (test-equal "is copied" words
                    (get-string-all (peer-output taker)))
                  (test-equal "the taker ends" 0
                    (status:exit-val (peer-status taker)))
                  (test-equal "the giver was answered" 0
                    (status:exit-val (peer-status giver)))))))))))))

(test-case "nobody is there"
  (with-bus
   (lambda ()
     (match (output-and-errors-of
             (dbus "give" "org.sockport.Nobody" "/dev/null"))
       ((status text)
        (test-equal "fails" 1 status)
        (test-assert "and the bus says why"
          (string-contains text
                           "org.freedesktop.DBus.Error.ServiceUnknown")))))))

(test-end "real-dbus")
