;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Sockport: everything that the modules of its stems export, in one.  Names that
;;; Guile has too replace Guile's.
;;;
;;; Not (sockport channel) and (sockport operation): Fibers has make-channel,
;;; sleep-operation and others, and a program that uses it must keep those.

(define-module (sockport)
  #:use-module (sockport address)
  #:use-module (sockport batch)
  #:use-module (sockport bulk)
  #:use-module (sockport byte-order)
  #:use-module (sockport connect)
  #:use-module (sockport constant)
  #:use-module (sockport control)
  #:use-module (sockport deadline)
  #:use-module (sockport hand-over)
  #:use-module (sockport interface)
  #:use-module (sockport listener)
  #:use-module (sockport message)
  #:use-module (sockport multicast)
  #:use-module (sockport notify)
  #:use-module (sockport option)
  #:use-module (sockport relay)
  #:use-module (sockport resolve)
  #:use-module (sockport semaphore)
  #:use-module (sockport server)
  #:use-module (sockport process)
  #:use-module (sockport signal)
  #:use-module (sockport socket)
  #:use-module (sockport structure)
  #:use-module (sockport task)
  #:use-module (sockport transfer))

(for-each
 (lambda (stem)
   (module-re-export! (current-module)
                      (module-map (lambda (name variable) name)
                                  (resolve-interface `(sockport ,stem)))
                      #:replace? #t))
 '(address
   batch
   bulk
   byte-order
   connect
   constant
   control
   deadline
   hand-over
   interface
   listener
   message
   multicast
   notify
   option
   relay
   resolve
   semaphore
   server
   process
   signal
   socket
   structure
   task
   transfer))
