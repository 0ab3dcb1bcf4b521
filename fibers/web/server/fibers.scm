;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Fibers' back end for Guile's (web server), which is Sockport's.

(define-module (web server fibers)
  #:use-module (web server)
  #:use-module ((web server sockport) #:select (sockport)))

(define-server-impl fibers
  (server-impl-open sockport)
  (server-impl-read sockport)
  (server-impl-write sockport)
  (server-impl-close sockport))
