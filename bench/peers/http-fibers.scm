;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A page of HTTP by Fibers' web server, for bench/fibers.scm: PORT.

(use-modules (fibers web server))

(run-server (lambda (request body)
              (values '((content-type . (text/plain)))
                      "Hello, World!"))
            #:port (string->number (cadr (command-line))))
