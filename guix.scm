;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Sockport as a Guix package, from this checkout:
;;;
;;;   guix build -f guix.scm
;;;   guix shell -f guix.scm guile -- guile
;;;   guix shell -D -f guix.scm          # what building needs

(use-modules (gnu packages check)
             (gnu packages guile)
             (gnu packages pkg-config)
             (gnu packages tls)
             (gnu packages texinfo)
             (guix build-system meson)
             (guix gexp)
             (guix git-download)
             ((guix licenses) #:prefix license:)
             (guix packages)
             (guix utils))

(define here (current-source-directory))

(package
  (name "guile-sockport")
  (version "0.1.0")
  (source (local-file here "sockport-checkout"
                      #:recursive? #t
                      #:select? (or (git-predicate here) (const #t))))
  (build-system meson-build-system)
  ;; The tests of the libraries; ./dev check runs the others.
  (arguments (list #:test-options #~(list "--suite" "c")))
  (native-inputs (list cmocka guile-3.0 pkg-config texinfo))
  (inputs (list gnutls guile-3.0))
  (home-page #f)
  (synopsis "Sockets, tasks and servers for GNU Guile")
  (description
   "Sockport is the interface that GNU Guile's manual documents for sockets,
complete and checked, and what that leaves out: messages with descriptors and
other control data, every address family, options by name, batches of datagrams,
tasks with deadlines and channels in direct style, and servers, HTTP among them.
Programs that use Guile's own procedures work unchanged.  It stands on a C
library that can be used without Guile.")
  (license license:lgpl3+))
