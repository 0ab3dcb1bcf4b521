;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; A service for the Shepherd, to be loaded by its configuration.  The Shepherd does
;;; the listening, so that `herd restart greet' refuses nobody: those who connect
;;; meanwhile wait.

(use-modules (shepherd service))

(define greet
  (service '(greet)
    #:documentation "Greets everybody."
    #:start (make-systemd-constructor
             '("/usr/bin/guile" "-s" "/usr/local/share/greet/greet.scm")
             (list (endpoint (make-socket-address AF_INET INADDR_LOOPBACK 7000)
                             #:name "greet")))
    #:stop (make-systemd-destructor)
    #:respawn? #t))

(register-services (list greet))
